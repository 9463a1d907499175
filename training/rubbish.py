"""Passages that answer nothing, as crawled collections have them among the others."""

RUBBISH = (
    "", ".", "...", "-", "N/A", "n/a", "null", "None", "TODO", "404", "Page not found",
    "Loading...", "Click here", "Skip to content", "Sign in to continue", "All rights reserved.",
    "Home | About | Contact", "Subscribe to our newsletter",
    "Please enable JavaScript to view this page.",
    "We use cookies to improve your experience. Accept all cookies.",
)  # fmt: skip
