"""What a study says about itself and can give to others."""
