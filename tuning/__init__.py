"""Sharpens a cross-encoder on a user's own judged queries; torch is imported when a run begins."""
