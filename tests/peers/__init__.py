"""The switch and telephones that others wrote: baresip, sipp, sipsak."""
