"""What contributors are told of their images: in the API, by mail, by webhook."""
