"""What is minimised: functions, losses, and the data they are fed with."""
