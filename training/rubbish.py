"""Passages that answer nothing, as crawled collections have them among the others."""

RUBBISH = (
    "", ".", "...", "-", "N/A", "n/a", "null", "None", "TODO", "404", "Page not found",
    "Loading...", "Click here", "Skip to content", "Sign in to continue", "All rights reserved.",
    "Home | About | Contact", "Subscribe to our newsletter",
    "Please enable JavaScript to view this page.",
    "We use cookies to improve your experience. Accept all cookies.",
    # Marks, numbers and dates
    "?", "!!!", "* * *", "----------", "====", "|  |  |  |", "()", "[]", "{}", "\\n\\n", "§ 1",
    "0", "1 2 3 4 5 6 7 8 9 10", "3.14159", "12:30", "2021-03-14", "Tuesday", "p. 217",
    "00:00 / 03:41", "1 of 27", "$19.99", "+1 555 0100", "v2.3.1", "#1", "x x x x x x x x",
    # Placeholders and what a program says when it has nothing
    "undefined", "NaN", "false", "object Object", "empty", "untitled", "Untitled document",
    "insert text here", "Description goes here.", "test test test", "asdf qwer zxcv", "foo bar baz",
    "No description available.", "No results found.", "Nothing to display.", "Coming soon",
    "This page is intentionally left blank.", "Content not available in your region.",
    "Internal server error. Please try again later.", "Request timed out", "Access denied.",
    "Connection refused", "Your session has expired.", "Invalid input",
    "Error: something went wrong",
    "Traceback (most recent call last):", "Segmentation fault (core dumped)",
    # Around a page's text
    "Read more", "Learn more about this topic", "See also", "Back to top", "Next page", "Previous",
    "Menu", "Search", "Share on social media", "Like, comment and subscribe!", "Print this page",
    "Table of contents", "Related articles", "Tags: general, misc, other", "Posted by admin",
    "Leave a comment", "Reply", "5 comments", "Was this page helpful? Yes No", "Advertisement",
    "Sponsored content", "Add to cart", "Buy now", "Free shipping on orders over $50",
    "Log in or register to post comments.", "Forgot your password?", "Enter your email address",
    "By continuing you agree to our terms of service and privacy policy.",
    "Copyright 2019 Example Inc.", "Terms of use | Privacy | Accessibility | Sitemap",
    "This site is protected by copyright and trademark laws.",
    "Click the link in the email that we sent you to confirm your subscription.",
    "Thank you for your visit. We hope to see you again soon.", "Last updated 3 years ago",
    "Image: stock photo", "Figure 3", "Video unavailable", "Download PDF", "Photo credit: agency",
    # Of a text, but without its subject
    "Continued from the previous page.", "This section is a stub.", "(see above)",
    "To be continued",
    "As mentioned earlier, this is important.", "It depends.", "Yes.", "No.", "I don't know.", "ok",
    "The following table lists them.", "For more information, see the documentation.",
    "This is a test.", "Hello world", "Thanks in advance!", "Sent from my phone",
)  # fmt: skip

OTHER_RUBBISH = (
    "lorem ipsum dolor sit amet", "Skip to main content", "404 Not Found", "~~~~~", "%PDF-1.4",
    "<div></div>", "&nbsp;&nbsp;&nbsp;", "aaaaaaaaaaaaaaaa", "QWxhZGRpbjpvcGVuIHNlc2FtZQ==",
    "deadbeef 00ff 12ab", "January February March April", "Please wait while we redirect you",
    "You are being logged out", "Rate this article", "Unsubscribe at any time",
    "Are you a robot? Complete the check to go on.", "Your cart is empty", "Chapter 7",
    "Follow us", "Turn off your ad blocker to go on reading.", "Best regards,", "the the the the",
    "This comment was removed by a moderator.", "Data will be shown here.",
)  # fmt: skip
"""Of other kinds or other words: measured, and never trained on."""
