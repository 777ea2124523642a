"""What does this machine allow? Its measured peaks, and the bounds that follow for an epoch."""
