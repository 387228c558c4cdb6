ALTER TABLE `callbacks` ADD `not_after` integer;--> statement-breakpoint
ALTER TABLE `deliveries` ADD `not_after` integer;--> statement-breakpoint
ALTER TABLE `deliveries` ADD `reason` text;--> statement-breakpoint
CREATE INDEX `deliveries_expiring` ON `deliveries` (`not_after`) WHERE "status" = 'pending' and "not_after" is not null;