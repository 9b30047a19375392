"""SMPP in the switch: customers that bind to us, and carriers that we bind to."""
