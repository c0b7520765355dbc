"""A rolling deploy in virtual time: who gets requests when, and which page loads break by it."""
