"""What a campaign is, who is held out, and the verdict of every qualified user."""
