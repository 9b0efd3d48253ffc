"""Deployment 1: one machine. Folders, SQLite, worker processes, one command."""
