/* What raises is cold: the way of an exception through compiled Python lies apart from what runs. */
static void __Pyx_AddTraceback() __attribute__((cold));
