"""The bodies of event packages: values that are parsed and written, nothing of when they are sent.

``dialog_info`` (RFC 4235), ``pidf`` (RFC 3863, 3856), ``message_summary`` (RFC 3842), ``reginfo`` (RFC 3680),
``sipfrag`` (RFC 3420).
"""
