"""What is done around every call of every contract."""
