"""The files of NB Workflows and LabFunctions as a project file, with a line for each of their keys."""
