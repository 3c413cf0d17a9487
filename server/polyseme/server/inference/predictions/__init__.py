"""Predictions of the heads of a model: classes, entities, answers, an order."""
