"""What is said to callers and understood of them: voices, sounds from the web, speech to text."""
