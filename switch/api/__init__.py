"""The interface for programs: REST, webhooks, TwiML, events."""
