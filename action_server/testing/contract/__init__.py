"""What every action server keeps to, requirement by requirement, and what checks it."""
