"""What is measured in processes of its own: jobs, code locations, and programs that print what they held."""
