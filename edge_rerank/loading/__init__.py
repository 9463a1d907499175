"""From a folder to a running model: parts opened side by side, and a check of the scores."""
