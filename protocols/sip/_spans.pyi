# For other compiled modules.
