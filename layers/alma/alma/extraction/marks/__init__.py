"""What a person marks on paper: checkboxes and signatures."""
