"""From a run's record to Markdown and plots."""
