"""Several workers: a supervisor that starts them, hands out what they share, and speaks for all of them."""
