"""Application Load Balancers: what one is, where a request goes, and what is known of its targets."""
