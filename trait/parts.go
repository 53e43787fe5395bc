package trait

// Parts returns what the condition was compiled from, for who holds it against
// impressions in a way of his own.
func (c *Condition) Parts() (property, operator string, operands []string) {
	for _, o := range c.operands {
		operands = append(operands, string(o.text))
	}
	return c.of.String(), c.operator.name, operands
}
