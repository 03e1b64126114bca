"""The wire, without I/O: frames, headers, typed requests and JSON documents."""
