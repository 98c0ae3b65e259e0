create database other;
