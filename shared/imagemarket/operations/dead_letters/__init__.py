"""Messages and jobs that failed each time: looked at, sent again, put away."""
