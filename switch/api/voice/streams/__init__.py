"""Media Streams: the sound of calls to applications over WebSocket, and what those say to the callers."""
