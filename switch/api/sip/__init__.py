"""SIP over REST: domains and their credentials, access lists, trunks; those of the file are shown beside."""
