"""HAProxy as an Application Load Balancer: its configuration from a `LoadBalancer`, and its runtime sockets."""
