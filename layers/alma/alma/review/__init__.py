"""What people and agents say of fields."""
