"""What a model sees of a transaction: features, each from nothing later than the transaction itself."""
