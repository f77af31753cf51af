"""People who are told how runs ended: what there is to tell, whom, and that it is told once."""
