"""What stands on the wire: errors, dates, parameters, pages, identifiers."""
