"""WebSockets and Socket.IO through proxies: what was seen of them, what it means, what a configuration does to them."""
