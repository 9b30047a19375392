"""Calls that are programmed by TwiML: the interpreter, what carries out its wishes, and the resources."""
