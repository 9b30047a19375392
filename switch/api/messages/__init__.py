"""Messages: from REST to the message centre, back as callbacks, and in from the centre to webhooks."""
