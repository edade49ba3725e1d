"""What is ours in Dataverse's platform tables: service endpoint, steps, images, the button."""
