"""Who may ask what: routes, credentials, rates, the audit log."""
