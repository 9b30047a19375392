"""What an attacker or a bad day does to the switch, from outside: one file for a group of rows."""
