"""The deployment on AWS."""
