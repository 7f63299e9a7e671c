"""What is done with an OpenAPI document: compare two of them, make a Postman collection of one. Pure."""
