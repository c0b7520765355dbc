"""IAM: whether policies allow a request, and which of their statements said so."""
