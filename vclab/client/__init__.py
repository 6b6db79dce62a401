"""What calls use cases for the command line. It knows the contract, and nothing that answers."""
