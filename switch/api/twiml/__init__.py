"""TwiML documents: read, checked, and run."""
