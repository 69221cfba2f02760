"""What is learned from reference data: bins, partition, calibration, natural variability."""
