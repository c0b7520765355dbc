"""ECS as pure state machines: what the service decides, without anything that carries it out."""
