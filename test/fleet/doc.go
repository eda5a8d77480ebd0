// Package fleet starts what a fleet of Postern is made of, private to a test,
// and breaks it on purpose: a proxy that disturbs connections, servers that are
// frozen, killed and started again. Whatever it starts ends with the test
// binary, and a program that is missing is an error that says what to install.
package fleet
