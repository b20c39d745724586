"""What contributors are told of their pictures, and how it reaches them."""
